//! A connection whose client has to take what it asked for.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// What a client takes at least within a deadline while more waits for it: a modem of 1990 takes more.
const LEAST: usize = 16 * 1024;

/// Breaks off when its other end takes less than [`LEAST`] within the deadline although there is more for it. While
/// nothing waits, no time runs.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    deadline: Duration,
    /// Runs while something waits; how much was taken meanwhile.
    waiting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, deadline: Duration) -> Self {
        Self { stream, deadline, waiting: None }
    }

    /// What became of an attempt to hand over `offered` bytes.
    fn paced(
        &mut self,
        context: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(taken)) = written {
            match &mut self.waiting {
                Some(_) if taken == offered => self.waiting = None,
                Some((_, all)) => *all = all.saturating_add(taken),
                None => {}
            }
        }
        if written.is_ready() {
            return written;
        }
        let deadline = self.deadline;
        let (timer, taken) = self.waiting.get_or_insert_with(|| (Box::pin(sleep(deadline)), 0));
        loop {
            ready!(timer.as_mut().poll(context));
            if *taken < LEAST {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client does not take its answer",
                )));
            }
            *taken = 0;
            timer.as_mut().reset(Instant::now() + deadline);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced(context, slices.iter().map(|slice| slice.len()).sum(), written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_broken_off_at_the_deadline() {
        let (near, _far) = duplex(1024);
        let mut paced = Paced::new(near, DEADLINE);
        let begun = Instant::now();
        let error = paced.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_it_drop_by_drop_is_broken_off_as_well() {
        let (near, mut far) = duplex(1024);
        let mut paced = Paced::new(near, DEADLINE);
        let drops = async {
            let mut drop = [0; 1];
            while far.read_exact(&mut drop).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        let bytes = vec![0; 64 * 1024];
        tokio::select! {
            written = paced.write_all(&bytes) => assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut),
            () = drops => unreachable!("it reads as long as there is something"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_but_takes_enough_gets_all_of_it() {
        let (near, mut far) = duplex(1024);
        let mut paced = Paced::new(near, DEADLINE);
        let bytes = vec![7; 256 * 1024];
        let slow = async {
            let (mut read, mut buffer) = (0, [0; 1024]);
            while read < bytes.len() {
                read += far.read(&mut buffer).await.unwrap();
                sleep(Duration::from_secs(1)).await; // 1 KiB a second: 30 within each deadline
            }
        };
        let (written, ()) = tokio::join!(paced.write_all(&bytes), slow);
        written.unwrap();
        assert!(paced.waiting.is_none() || paced.waiting.as_ref().is_some_and(|(_, taken)| *taken > 0));
        // and afterwards no time runs
        sleep(DEADLINE * 10).await;
        paced.write_all(&[1]).await.unwrap();
    }
}
