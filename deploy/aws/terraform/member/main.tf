# What AWS has to allow for regwatch. Written by `regwatch iam --format terraform`.

variable "hub_principal_arn" {
  type        = string
  description = "The ARN of the role or user whose credentials identity hub finds, such as arn:aws:iam::111122223333:role/regwatch-hub; aws sts get-caller-identity with them tells which it is. It has to exist before the roles that trust it."
  validation {
    condition     = can(regex("^arn:aws:iam::\\d{12}:(role|user)/[\\w+=,.@/-]+$", var.hub_principal_arn))
    error_message = "It must be one whole, without wildcards."
  }
}

# Identity member: a role in each of the 2 accounts that are asked with it.
data "aws_iam_policy_document" "regwatch_member_trust" {
  statement {
    sid     = "Assume"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [var.hub_principal_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["put-your-own-here"]
    }
  }
}

resource "aws_iam_role" "regwatch_member" {
  name               = "regwatch"
  path               = "/"
  assume_role_policy = data.aws_iam_policy_document.regwatch_member_trust.json
}

data "aws_iam_policy_document" "regwatch_member" {
  statement {
    sid       = "FleetWiseRegistration"
    actions   = ["iotfleetwise:GetRegisterAccountStatus"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values = [
        "eu-central-1",
        "us-east-1",
      ]
    }
  }
}

resource "aws_iam_policy" "regwatch_member" {
  name   = "regwatch-member"
  policy = data.aws_iam_policy_document.regwatch_member.json
}

resource "aws_iam_role_policy_attachment" "regwatch_member" {
  role       = aws_iam_role.regwatch_member.name
  policy_arn = aws_iam_policy.regwatch_member.arn
}
