//! The demo: two tenants on a private Asterisk, deployed for real, with everything in one directory.

mod ground;
mod record;
mod seed;
mod users;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use self::ground::Ground;
use self::record::{Pbx, Record};
use super::key_file::KeyFileError;
use super::lifecycle::Lifecycle;
use super::private_pbx::{self, PrivatePbx, StartError};
use super::service::{Service, ServiceError};
use super::settings;
use crate::app::error::AppError;
use crate::app::{deployments, instances};
use crate::auth::caller::{Caller, Identity, Origin, Place};
use crate::config::ConfigError;
use crate::deploy::DeployError;
use crate::domain::deployment::{Deployment, DeploymentStatus, StageRecord};
use crate::domain::finding::Finding;
use crate::domain::ids::InstanceId;
use crate::domain::invalid::Invalid;
use crate::domain::random::{NoRandomness, SystemRandom};
use crate::driver::asterisk::ProgramError;
use crate::store::StoreError;

pub use self::seed::{DemoExtension, DemoTenant};
pub use self::users::DemoUser;

/// What a demo is made of.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where everything of it lies; an earlier demo there goes on.
    pub directory: PathBuf,
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The `asterisk` program; by default the one of the PATH, if there is one.
    pub asterisk: Option<PathBuf>,
    /// Templates that go before the built-in ones.
    pub templates: Option<PathBuf>,
}

/// Why there is no demo.
#[derive(Debug, Error)]
pub enum DemoError {
    /// A file could not be written or read.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another demo runs there.
    #[error("a demo runs in {} already; stop it, or name another directory with --dir", .0.display())]
    InUse(PathBuf),
    /// It is the demo of another user.
    #[error(
        "{} belongs to uid {owner}, and this is uid {own}: go on with that demo as its user, or name another directory \
         with --dir",
        .path.display()
    )]
    Foreign {
        /// What belongs to somebody else.
        path: PathBuf,
        /// To whom.
        owner: u32,
        /// Who runs this.
        own: u32,
    },
    /// The directory or another given value is not usable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No sealing key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The configuration that the demo wrote cannot be read back.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The private Asterisk does not start.
    #[error(transparent)]
    Pbx(#[from] StartError),
    /// The service does not start, or ended other than well.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The database cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tenant, an extension or the deploy failed.
    #[error(transparent)]
    App(#[from] AppError),
    /// The files could not be written.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// No secret could be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What became of the configuration.
pub enum Outcome {
    /// It was deployed to a running Asterisk; the record says how that ended.
    Deployed(Box<Deployment>, Vec<StageRecord>),
    /// There is no Asterisk: a generation was written whole, and nobody has read it.
    FilesOnly {
        /// Its number.
        generation: i64,
        /// What our own validation says.
        findings: Vec<Finding>,
    },
    /// There is no Asterisk, and nothing was written.
    NotWritten {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Whether all was done that could be: proven live, or written whole where nothing runs.
    #[must_use]
    pub fn is_success(&self) -> bool {
        match self {
            Self::Deployed(deployment, _) => deployment.status.is_success(),
            Self::FilesOnly { .. } => true,
            Self::NotWritten { .. } => false,
        }
    }
}

/// A demo that is ready.
pub struct Demo {
    /// What became of the configuration.
    pub outcome: Outcome,
    /// The two tenants, with the secrets to sign in with.
    pub tenants: Vec<DemoTenant>,
    /// A manager of the platform, and one user for each role of each tenant.
    pub users: Vec<DemoUser>,
    /// Where phones sign in, while an Asterisk runs.
    pub sip: Option<SocketAddr>,
    /// Whether that Asterisk serves a generation: this one, or after a refused deploy the former.
    pub live: bool,
    /// Where the API answers.
    pub api: String,
    /// Where everything of it lies.
    pub directory: PathBuf,
    /// The record that programs read.
    pub record: PathBuf,
    pbx: Option<PrivatePbx>,
    /// Keeps other demos out.
    ground: Ground,
    service: Service,
    /// From here on a signal is an orderly end, also before the first request.
    lifecycle: Lifecycle,
}

impl Demo {
    /// Starts everything, deploys, and writes the record.
    pub async fn start(options: &DemoOptions) -> Result<Self, DemoError> {
        let ground = Ground::prepare(options)?;
        let pbx = start_pbx(options, &ground).await?;
        ground.remove_record()?;
        let config = ground.config(options, pbx.as_ref())?;
        // A program that has the demo as a part may log already, in its own way.
        let _ = settings::start_telemetry(&config);
        ground.migrate(&config).await?;
        let service = Service::prepare(&config).await?;
        let caller = operator();
        let app = &service.parts().app;
        let (settings, secret) = ground.instance(pbx.as_ref())?;
        let instance_id = seed::instance(app, &caller, &config.node.name, settings, secret).await?;
        let tenants = seed::tenants(app, &caller, instance_id).await?;
        let users = users::ensure(app, &caller, &tenants).await?;
        let outcome = deploy(&service, instance_id, pbx.is_some()).await?;
        let api = format!("http://{}", service.address());
        let mut demo = Self {
            outcome,
            tenants,
            users,
            sip: pbx.as_ref().map(PrivatePbx::sip),
            live: false,
            api,
            directory: ground.directory().to_owned(),
            record: ground.record(),
            pbx,
            ground,
            service,
            lifecycle: Lifecycle::of_process().map_err(ServiceError::Signals)?,
        };
        demo.write_record(instance_id).await?;
        Ok(demo)
    }

    /// Serves until it is told to stop. The private Asterisk ends with it.
    pub async fn run(self) -> Result<(), DemoError> {
        let tasks = self.lifecycle.tasks();
        if let Some(mut pbx) = self.pbx {
            let stop = tasks.soft_stop();
            tasks.spawn("pbx", async move {
                tokio::select! {
                    () = stop.cancelled() => {
                        pbx.stop().await;
                        Ok(())
                    }
                    how = pbx.ended() => Err(format!("the private Asterisk ended: {how}")),
                }
            });
        }
        self.service.run_in(self.lifecycle).await?;
        Ok(())
    }

    /// Ends without serving.
    pub async fn stop(self) {
        if let Some(pbx) = self.pbx {
            pbx.stop().await;
        }
        self.service.parts().store.close().await;
    }

    async fn write_record(&mut self, instance_id: InstanceId) -> Result<(), DemoError> {
        let ground = &self.ground;
        let app = &self.service.parts().app;
        let caller = operator();
        let (generation, live) = match &self.outcome {
            Outcome::FilesOnly { generation, .. } => (Some(*generation), false),
            Outcome::NotWritten { .. } => (None, false),
            Outcome::Deployed(deployment, _) => {
                // An unchanged one was not asked again, and this Asterisk has just been started.
                let live =
                    deployment.status == DeploymentStatus::Live || self.still_serves(instance_id).await?;
                (instances::live_generation(app, &caller, instance_id).await?, live)
            }
        };
        let pbx = Pbx::new(
            instance_id,
            self.pbx.as_ref(),
            &ground.config_dir()?,
            generation,
            live,
        );
        ground.write_record(&Record::new(&self.api, &self.users, &self.tenants, &pbx))?;
        self.live = live;
        Ok(())
    }

    /// After a deploy that did not succeed: whether the former generation is what runs.
    async fn still_serves(&self, instance_id: InstanceId) -> Result<bool, DemoError> {
        let app = &self.service.parts().app;
        if instances::live_generation(app, &operator(), instance_id)
            .await?
            .is_none()
        {
            return Ok(false);
        }
        for tenant in &self.tenants {
            if !deployments::verify(app, &operator_in(tenant))
                .await
                .is_ok_and(|verification| verification.ok)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Without `--asterisk` a missing program is no error: the demo then writes files only.
async fn start_pbx(options: &DemoOptions, ground: &Ground) -> Result<Option<PrivatePbx>, DemoError> {
    let pbx = private_pbx::Options {
        directory: ground.pbx_directory(),
        program: options.asterisk.clone(),
    };
    match PrivatePbx::start(&pbx, &SystemRandom).await {
        Ok(pbx) => Ok(Some(pbx)),
        Err(StartError::Program(ProgramError::NotFound { .. })) if options.asterisk.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn deploy(service: &Service, instance_id: InstanceId, runs: bool) -> Result<Outcome, DemoError> {
    let parts = service.parts();
    if !runs {
        return Ok(match parts.engine.write_files(instance_id).await {
            Ok(written) => Outcome::FilesOnly {
                generation: written.generation,
                findings: written.findings,
            },
            Err(error @ (DeployError::Templates(_) | DeployError::Driver(_))) => Outcome::NotWritten {
                reason: crate::domain::error_chain::error_chain(&error),
            },
            Err(error) => return Err(error.into()),
        });
    }
    let caller = operator();
    let deployment = deployments::deploy_instance(&parts.app, &caller, instance_id).await?;
    deployments::work_until_ended(&parts.app, &deployment).await?;
    let (deployment, stages) =
        deployments::find_of_instance(&parts.app, &caller, instance_id, deployment.id).await?;
    Ok(Outcome::Deployed(Box::new(deployment), stages))
}

/// The demo acts as the host's command line does.
fn operator() -> Caller {
    Caller::new(Identity::SystemCli, Place::Platform, None, Origin::default())
}

fn operator_in(tenant: &DemoTenant) -> Caller {
    let place = Place::Entered {
        id: tenant.id,
        status: crate::domain::tenant::TenantStatus::Active,
    };
    Caller::new(Identity::SystemCli, place, None, Origin::default())
}
