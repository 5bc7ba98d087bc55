//! PostgreSQL's files: the data directory, made by `initdb` and checked before a start, and the files that say who may connect how. All
//! owned by the account the server runs as.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::child::{self, Launch, Signal};
use crate::cluster::Durability;
use crate::error::Error;
use crate::identity::{Identity, give};
use crate::pki::Pki;
use crate::roles::SUPERUSER;
use crate::state::make_dir;

/// How long a predecessor's processes may take to notice that their postmaster is gone.
pub(crate) const PREDECESSOR_DEADLINE: Duration = Duration::from_secs(15);
/// Who may connect: anybody with a password, over TLS. A connection in the clear meets no line and is refused.
const HBA: &str = "\
# TYPE   DATABASE  USER  ADDRESS        METHOD
hostssl  all       all   127.0.0.1/32   scram-sha-256
hostssl  all       all   ::1/128        scram-sha-256
";
/// How often a start looks whether the predecessor is gone.
const POLL: Duration = Duration::from_millis(15);

#[derive(Debug)]
pub(crate) struct DataDir {
    bin: PathBuf,
    dir: PathBuf,
    identity: Option<Identity>,
}

impl DataDir {
    pub(crate) fn new(bin: PathBuf, dir: PathBuf, identity: Option<Identity>) -> Self {
        Self { bin, dir, identity }
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn wire(&self) -> PathBuf {
        self.dir.join("wire")
    }

    /// Copies the identity to where the server's account can read it, and nobody else: PostgreSQL refuses a key that others may read.
    pub(crate) fn take_identity(&self, pki: &Pki) -> Result<(), Error> {
        let to = self.wire();
        make_dir(&to, 0o700)?;
        give(&to, self.identity)?;
        let from = pki.dir_of("postgres");
        for name in ["tls.key", "tls.crt"] {
            let text = std::fs::read(from.join(name))
                .map_err(Error::io(format!("reading {}", from.join(name).display())))?;
            self.write(&to.join(name), &text)?;
        }
        self.write(&to.join("pg_hba.conf"), HBA.as_bytes())
    }

    fn write(&self, file: &Path, content: &[u8]) -> Result<(), Error> {
        let doing = || format!("writing {}", file.display());
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, "").map_err(Error::io(doing()))?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600))
            .map_err(Error::io(doing()))?;
        std::fs::write(&fresh, content).map_err(Error::io(doing()))?;
        give(&fresh, self.identity)?;
        std::fs::rename(&fresh, file).map_err(Error::io(doing()))
    }

    /// TLS 1.3 and nothing else, and who may connect.
    pub(crate) fn wire_settings(&self) -> [String; 5] {
        let file = |name| self.wire().join(name).display().to_string();
        [
            "ssl=on".to_owned(),
            "ssl_min_protocol_version=TLSv1.3".to_owned(),
            format!("ssl_cert_file={}", file("tls.crt")),
            format!("ssl_key_file={}", file("tls.key")),
            format!("hba_file={}", file("pg_hba.conf")),
        ]
    }

    /// Makes it when it is not there; refuses another major version's.
    pub(crate) async fn prepare(
        &self,
        superuser_password: &str,
        durability: Durability,
    ) -> Result<(), Error> {
        match std::fs::read_to_string(self.path().join("PG_VERSION")) {
            Ok(found) => self.check_version(found.trim()).await,
            Err(_) => self.initdb(superuser_password, durability).await,
        }
    }

    async fn check_version(&self, found: &str) -> Result<(), Error> {
        let output = self.run_tool("postgres", vec!["--version".into()]).await?;
        let wanted = output
            .split_whitespace()
            .find_map(|word| word.split_once('.').map(|(major, _)| major))
            .unwrap_or_default();
        if found == wanted {
            return Ok(());
        }
        Err(Error::DataVersion {
            dir: self.path(),
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        })
    }

    async fn initdb(&self, superuser_password: &str, durability: Durability) -> Result<(), Error> {
        make_dir(&self.dir, 0o700)?;
        give(&self.dir, self.identity)?;
        // An initdb that was cut short leaves files that the next one refuses.
        let data = self.path();
        if data.exists() {
            std::fs::remove_dir_all(&data)
                .map_err(Error::io(format!("removing {}", data.display())))?;
        }
        let password_file = self.dir.join("password");
        std::fs::write(&password_file, superuser_password)
            .map_err(Error::io("writing the superuser's password"))?;
        give(&password_file, self.identity)?;
        let mut args: Vec<OsString> = vec![
            "--pgdata".into(),
            data.into(),
            "--username".into(),
            SUPERUSER.into(),
            "--pwfile".into(),
            password_file.clone().into(),
            "--auth=scram-sha-256".into(),
            "--encoding=UTF8".into(),
            // The same order of text on every machine, whatever locales it has.
            "--locale=C".into(),
        ];
        if durability == Durability::Off {
            // Small log segments: a test's copy of the cluster is 15 MB lighter.
            args.extend(["--no-sync".into(), "--wal-segsize=1".into()]);
        }
        let made = self.run_tool("initdb", args).await;
        std::fs::remove_file(&password_file).map_err(Error::io("removing the password file"))?;
        made.map(drop)
    }

    /// Runs one of PostgreSQL's programs to its end, as the account the server runs as.
    async fn run_tool(&self, program: &str, args: Vec<OsString>) -> Result<String, Error> {
        let path = self.bin.join(program);
        let child = child::launch(Launch {
            program: &path,
            args,
            env: Vec::new(),
            identity: self.identity,
            on_our_death: Signal::Kill,
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
        })
        .await?;
        let output = child
            .wait_with_output()
            .await
            .map_err(Error::io(format!("running {program}")))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Command {
            program: path.display().to_string(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        })
    }

    /// The postmaster writes its state into the eighth line of its pid file.
    pub(crate) fn is_ready(&self, pid: Option<u32>) -> bool {
        const STATUS_LINE: usize = 7;
        let pid_file = self.path().join("postmaster.pid");
        let Ok(text) = std::fs::read_to_string(&pid_file) else {
            return false;
        };
        pid_in(&pid_file) == pid
            && text
                .lines()
                .nth(STATUS_LINE)
                .is_some_and(|line| line.trim() == "ready")
    }

    /// A server whose parent was killed is told so by the kernel and is shutting down: wait for its end. A pid file
    /// whose process is gone, or is another program by chance, is removed.
    pub(crate) async fn wait_for_predecessor(&self) -> Result<(), Error> {
        let pid_file = self.path().join("postmaster.pid");
        let deadline = Instant::now() + PREDECESSOR_DEADLINE;
        while let Some(pid) = pid_in(&pid_file) {
            let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
            let ours = cwd
                .is_ok_and(|cwd| std::fs::canonicalize(self.path()).is_ok_and(|data| data == cwd));
            if !ours {
                let _ = std::fs::remove_file(&pid_file);
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::Step(format!(
                    "PostgreSQL of an earlier run (process {pid}) still runs on {}; end it with `kill -INT {pid}`",
                    self.path().display()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn pid_in(pid_file: &Path) -> Option<u32> {
    std::fs::read_to_string(pid_file)
        .ok()?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()
}
