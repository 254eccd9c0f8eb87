//! One connection to the event socket: its commands in, answers and events out.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;

use super::answer::{Answer, api, reply};
use super::api;
use super::faults::Effect;
use super::switch::{Switch, Told};
use super::wanted::Wanted;

const DENIED: &str = "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n";
const GOODBYE: &str = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n\
                       Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

/// The connection cannot go on.
struct Over;

/// One command with the headers below it.
struct Command {
    line: String,
    headers: Vec<(String, String)>,
}

/// What comes in, cut into commands.
struct Commands {
    stream: OwnedReadHalf,
    /// What came and is no whole command yet.
    pending: Vec<u8>,
}

impl Commands {
    /// The next command as it came, without the empty line that ends it. Nothing is lost if nobody waits to the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|two| two == b"\n\n") {
                let command = self.pending.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(command).unwrap().trim_matches('\n').to_owned());
            }
            if self.stream.read_buf(&mut self.pending).await.ok()? == 0 {
                return None;
            }
        }
    }
}

struct Session {
    switch: Arc<Switch>,
    out: OwnedWriteHalf,
    signed_in: bool,
    wanted: Wanted,
    jobs: JoinSet<()>,
}

/// Speaks until either side ends it.
pub async fn serve(switch: Arc<Switch>, stream: TcpStream, number: usize) {
    stream.set_nodelay(true).unwrap();
    let told = switch.told.subscribe();
    let (read, out) = stream.into_split();
    let mut session = Session {
        switch,
        out,
        signed_in: false,
        wanted: Wanted::default(),
        jobs: JoinSet::new(),
    };
    let mut commands = Commands {
        stream: read,
        pending: Vec::new(),
    };
    // How it ended is for the client to see.
    let _ = session.run(&mut commands, told, number).await;
    // A job outlives the connection that it was begun on.
    session.jobs.detach_all();
}

impl Session {
    async fn run(
        &mut self,
        commands: &mut Commands,
        mut told: Receiver<Told>,
        number: usize,
    ) -> Result<(), Over> {
        if self.switch.faults.is_denied() {
            self.send(DENIED.as_bytes()).await?;
            return self.send(GOODBYE.as_bytes()).await;
        }
        self.send(b"Content-Type: auth/request\n\n").await?;
        loop {
            tokio::select! {
                command = commands.next() => {
                    let command = command.ok_or(Over)?;
                    self.switch.journal.add(number, &command);
                    self.obey(&command, commands).await?;
                }
                told = told.recv() => match told {
                    Ok(Told::Bytes(bytes)) => self.send(&bytes).await?,
                    Ok(Told::Event(event)) => {
                        if let Some(message) = self.wanted.message(&event) {
                            self.send(&message).await?;
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(Over),
                },
            }
        }
    }

    async fn obey(&mut self, command: &str, commands: &mut Commands) -> Result<(), Over> {
        let effect = self.switch.faults.on(command);
        match effect {
            Some(Effect::CloseUndone) => return Err(Over),
            Some(Effect::HangUndone) => return Self::hang(commands).await,
            Some(Effect::Bytes(bytes)) => return self.send(&bytes).await,
            Some(Effect::Print(text)) => return self.send(&api(&text)).await,
            _ => {}
        }
        let ends = effect != Some(Effect::JobWithoutEnd);
        let answer = self.answer(&Command::read(command), ends).await;
        match effect {
            Some(Effect::CloseDone) => return Err(Over),
            Some(Effect::HangDone) => return Self::hang(commands).await,
            _ => {}
        }
        tokio::time::sleep(self.switch.faults.wait()).await;
        self.send(&answer.bytes).await?;
        if answer.last {
            self.send(GOODBYE.as_bytes()).await?;
            return Err(Over);
        }
        Ok(())
    }

    /// Reads and says nothing until the client hangs up.
    async fn hang(commands: &mut Commands) -> Result<(), Over> {
        while commands.next().await.is_some() {}
        Err(Over)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let allowed = self.switch.faults.allowed(bytes.len());
        self.out.write_all(&bytes[..allowed]).await.map_err(|_| Over)?;
        if allowed < bytes.len() { Err(Over) } else { Ok(()) }
    }

    async fn answer(&mut self, command: &Command, ends: bool) -> Answer {
        let (name, rest) = command.line.split_once(' ').unwrap_or((&command.line, ""));
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "exit" => return Answer::last("+OK bye"),
            "auth" if !self.signed_in => {
                self.signed_in = rest == *self.switch.password.lock().unwrap();
                return if self.signed_in {
                    reply("+OK accepted").into()
                } else {
                    Answer::last("-ERR invalid")
                };
            }
            _ if !self.signed_in => return reply("-ERR command not found").into(),
            _ => {}
        }
        match name.as_str() {
            "event" => reply(&self.wanted.listen(rest)),
            "filter" => reply(&self.wanted.filter(rest)),
            "noevents" => reply(self.wanted.stop()),
            "sendevent" => reply(&self.send_event(rest, command)),
            "api" if !rest.is_empty() => api(&api::run(&self.switch, rest).await),
            "bgapi" if !rest.is_empty() => self.begin_job(rest, command, ends),
            _ => reply("-ERR command not found"),
        }
        .into()
    }

    /// Whoever listens to such events gets it, the sender too.
    fn send_event(&self, name: &str, command: &Command) -> String {
        let uuid = self.switch.new.uuid();
        let subclass = command.headers.iter().filter(|(key, _)| key == "Event-Subclass");
        let others = command.headers.iter().filter(|(key, _)| key != "Event-Subclass");
        let mut opening: Vec<(&str, &str)> = subclass
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let line = format!("sendevent {name}");
        opening.extend([("Command", line.as_str()), ("Event-Name", name)]);
        opening.extend(others.map(|(key, value)| (key.as_str(), value.as_str())));
        opening.push(("Event-UUID", &uuid));
        let source = ["mod_event_socket.c", "parse_command", "2283"];
        self.switch.tell(self.switch.event(&opening, name, source));
        format!("+OK {uuid}")
    }

    fn begin_job(&mut self, line: &str, command: &Command, ends: bool) -> Vec<u8> {
        let given = command.headers.iter().find(|(key, _)| key == "Job-UUID");
        let job = given.map_or_else(|| self.switch.new.uuid(), |(_, value)| value.clone());
        let begun =
            format!("Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n");
        if ends {
            let (switch, line) = (Arc::clone(&self.switch), line.to_owned());
            self.jobs.spawn(async move {
                let printed = api::run(&switch, &line).await;
                let source = ["mod_event_socket.c", "api_exec", "1580"];
                let mut event = switch.event(&[], "BACKGROUND_JOB", source);
                event.push("Job-UUID", &job);
                let (function, arguments) = line.split_once(' ').unwrap_or((&line, ""));
                event.push("Job-Command", function);
                if !arguments.is_empty() {
                    event.push("Job-Command-Arg", arguments);
                }
                event.set_body(&printed);
                switch.tell(event);
            });
        }
        begun.into_bytes()
    }
}

impl Command {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        Self {
            line,
            headers: headers
                .map(|(key, value)| (key.to_owned(), value.trim_start().to_owned()))
                .collect(),
        }
    }
}
