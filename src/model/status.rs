//! The states that AWS knows, verbatim, and the few of our own.

/// A thing inside a target that has a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The account's registration with FleetWise as a whole.
    Account,
    /// The IAM role that FleetWise writes with.
    Iam,
    /// The Timestream table that FleetWise writes to.
    Timestream,
    /// The GovCloud account linked to a commercial one.
    GovCloudAccount,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 4] = [Self::Account, Self::Iam, Self::Timestream, Self::GovCloudAccount];

    /// The name used in log fields and the `resource` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Iam => "iam",
            Self::Timestream => "timestream",
            Self::GovCloudAccount => "govcloud_account",
        }
    }

    /// Every status that the resource can have.
    pub const fn statuses(self) -> &'static [Status] {
        match self {
            Self::Account | Self::Iam | Self::Timestream => &[
                Status::RegistrationPending,
                Status::RegistrationSuccess,
                Status::RegistrationFailure,
                Status::NotRegistered,
                Status::Unknown,
            ],
            Self::GovCloudAccount => &[
                Status::PendingActivation,
                Status::Active,
                Status::Suspended,
                Status::Closed,
                Status::NotLinked,
                Status::Unknown,
            ],
        }
    }
}

/// The state of a resource, over all probes.
///
/// Sources: the `RegistrationStatus` type of the FleetWise API and the `AwsAccountState` type of the
/// Account Management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// FleetWise is registering the resource; it takes about five minutes.
    RegistrationPending,
    /// FleetWise has the resource registered.
    RegistrationSuccess,
    /// FleetWise could not register the resource.
    RegistrationFailure,
    /// FleetWise has no registration of this account in this region (`ResourceNotFoundException`).
    NotRegistered,
    /// The GovCloud account is being activated.
    PendingActivation,
    /// The GovCloud account is active.
    Active,
    /// The GovCloud account is suspended.
    Suspended,
    /// The GovCloud account is closed.
    Closed,
    /// No GovCloud account is linked (`ResourceNotFoundException`).
    NotLinked,
    /// A value that AWS added since this release; the reading keeps its text.
    Unknown,
}

impl Status {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::RegistrationPending,
        Self::RegistrationSuccess,
        Self::RegistrationFailure,
        Self::NotRegistered,
        Self::PendingActivation,
        Self::Active,
        Self::Suspended,
        Self::Closed,
        Self::NotLinked,
        Self::Unknown,
    ];

    /// AWS's own word for the state, or ours in the same manner where AWS has none.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegistrationPending => "REGISTRATION_PENDING",
            Self::RegistrationSuccess => "REGISTRATION_SUCCESS",
            Self::RegistrationFailure => "REGISTRATION_FAILURE",
            Self::NotRegistered => "NOT_REGISTERED",
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
            Self::NotLinked => "NOT_LINKED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The states that usually come next: those whose counters begin at 0, so that `increase()` sees the
    /// first step. Whatever AWS really does next is counted all the same.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::RegistrationPending => &[Self::RegistrationSuccess, Self::RegistrationFailure],
            Self::RegistrationSuccess => &[Self::RegistrationPending, Self::RegistrationFailure],
            Self::RegistrationFailure => &[Self::RegistrationPending, Self::RegistrationSuccess],
            Self::NotRegistered => &[Self::RegistrationPending],
            Self::PendingActivation => &[Self::Active, Self::Suspended, Self::Closed],
            Self::Active => &[Self::Suspended, Self::Closed],
            Self::Suspended => &[Self::Active, Self::Closed],
            Self::NotLinked => &[Self::PendingActivation],
            Self::Closed | Self::Unknown => &[],
        }
    }

    /// How closely the state wants to be watched.
    pub const fn phase(self) -> Phase {
        match self {
            Self::RegistrationPending | Self::PendingActivation => Phase::Pending,
            Self::RegistrationFailure | Self::Suspended => Phase::Failed,
            Self::RegistrationSuccess
            | Self::NotRegistered
            | Self::Active
            | Self::Closed
            | Self::NotLinked
            | Self::Unknown => Phase::Settled,
        }
    }
}

/// How closely a state wants to be watched, from the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing is expected to change soon.
    #[default]
    Settled,
    /// Somebody is expected to mend it.
    Failed,
    /// AWS is at work on it.
    Pending,
}
