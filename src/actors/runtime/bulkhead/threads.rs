//! The threads: each worker is an actix actor, alone on an arbiter (a thread) of its own. The only file that
//! names actix.
//!
//! actix gives what a bare thread does not: a panic costs the actor, which is told by its sentinel, and
//! nobody else; an arbiter takes a stop as a message. Its mailboxes are not bounded, so they carry wake-ups
//! only, at most one for each worker; what waits is in the [`Pool`].

use std::{fmt, io, sync::Arc};

use actix::{Actor, ActorContext, Arbiter, AsyncContext, Context, Handler, Message, System};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Mutex, oneshot},
    time::Instant,
};

use super::pool::{Next, Pool, Waiting, WorkerId};

/// The actix system that arbiters belong to, on a thread of its own beside the tokio runtime. Shared by the
/// bulkheads of one system; dropping it ends it.
#[derive(Default)]
pub(crate) struct ActixHost(Mutex<Option<System>>);

impl ActixHost {
    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// Why no thread could be started, in words.
    pub(super) async fn start(&self) -> Result<(), String> {
        self.system().await.map(drop)
    }

    async fn system(&self) -> Result<System, String> {
        let mut system = self.0.lock().await;
        if let Some(running) = system.as_ref().filter(|system| system.arbiter().alive()) {
            return Ok(running.clone());
        }
        let (tell, told) = oneshot::channel();
        let run = move || {
            let runner = System::with_tokio_rt(|| bare_runtime().expect("a runtime without drivers takes only memory"));
            if tell.send(System::current()).is_ok()
                && let Err(error) = runner.run()
            {
                tracing::error!(%error, "the actix system failed");
            }
        };
        std::thread::Builder::new().name("actix-host".to_owned()).spawn(run).map_err(|error| error.to_string())?;
        let started = told.await.map_err(|_| "the actix system did not start".to_owned())?;
        *system = Some(started.clone());
        Ok(started)
    }

    /// Starts a worker on a thread of its own.
    ///
    /// # Errors
    /// Why there is no thread, in words; the pool knows that the worker has ended.
    ///
    /// # Cancel safety
    /// Dropping the future ends the worker.
    pub(super) async fn employ(&self, pool: &Arc<Pool>, worker: WorkerId) -> Result<(), String> {
        let sentinel = Sentinel { pool: pool.clone(), worker };
        let system = self.system().await?;
        let (tell, told) = oneshot::channel();
        // An arbiter is made where the system is known.
        system.arbiter().spawn_fn(move || {
            let arbiter = Arbiter::try_with_tokio_rt(bare_runtime).map(|arbiter| arbiter.handle());
            if let Err(Ok(unwanted)) = tell.send(arbiter) {
                unwanted.stop();
            }
        });
        let arbiter = told.await.map_err(|_| "the actix system has ended".to_owned())?;
        let arbiter = arbiter.map_err(|error| error.to_string())?;
        let of_worker = pool.clone();
        let address = Worker::start_in_arbiter(&arbiter, move |_| Worker { pool: of_worker, sentinel });
        pool.can_be_woken(worker, Box::new(move || address.do_send(Wake)));
        Ok(())
    }
}

impl Drop for ActixHost {
    fn drop(&mut self) {
        if let Some(system) = self.0.get_mut() {
            system.stop();
        }
    }
}

/// Workers block: they have no use for timers or sockets of a runtime's.
fn bare_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().build()
}

/// Takes one job after the other; whatever they do, they do it here.
struct Worker {
    pool: Arc<Pool>,
    sentinel: Sentinel,
}

/// Tells that its worker has ended, however it did: dropped by a stop, by an unwinding panic, or with a
/// thread that never came to run it.
struct Sentinel {
    pool: Arc<Pool>,
    worker: WorkerId,
}

struct Wake;

impl Message for Wake {
    type Result = ();
}

impl Actor for Worker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.notify(Wake);
    }
}

impl Handler<Wake> for Worker {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Context<Self>) {
        loop {
            match self.pool.next(self.sentinel.worker, Instant::now()) {
                Next::Work(work) => {
                    work();
                    if self.pool.survived(self.sentinel.worker) == Waiting::None {
                        // Who was answered may have more: it comes together, and nobody sleeps and is woken for each.
                        std::thread::yield_now();
                    }
                }
                Next::Wait => return,
                Next::Leave => return context.stop(),
            }
        }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.pool.ended(self.worker, Instant::now());
        if let Some(own) = Arbiter::try_current() {
            own.stop();
        }
    }
}

impl fmt::Debug for ActixHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActixHost").finish_non_exhaustive()
    }
}
