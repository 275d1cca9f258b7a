# What AWS has to allow for regwatch. Written by `regwatch iam --format terraform`.

# Identity hub: to be attached to the role or user that it finds.
data "aws_iam_policy_document" "regwatch_hub" {
  statement {
    sid     = "AssumeRoles"
    actions = ["sts:AssumeRole"]
    resources = [
      "arn:aws:iam::444455556666:role/regwatch",
      "arn:aws:iam::777788889999:role/regwatch",
    ]
  }
  statement {
    sid     = "GovCloudAccount"
    actions = ["account:GetGovCloudAccountInformation"]
    resources = [
      "arn:aws:account::*:account",
      "arn:aws:account::*:account/o-*/444455556666",
      "arn:aws:account::*:account/o-*/777788889999",
    ]
  }
}

resource "aws_iam_policy" "regwatch_hub" {
  name   = "regwatch-hub"
  policy = data.aws_iam_policy_document.regwatch_hub.json
}
