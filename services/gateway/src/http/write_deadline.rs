//! A stream whose writes get on or end. Somebody who asks and does not read would else keep a connection, and what hangs on it, for ever:
//! heads and bodies that come in have deadlines of their own, and answers have this one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// `inner`, whose writes fail once none was taken for `patience`. What the kernel takes counts, so that a slow reader is no stalled one.
pub(super) struct WriteDeadline<S> {
    inner: S,
    patience: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteDeadline<S> {
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Self {
            inner,
            patience,
            stalled: None,
        }
    }

    /// What became of a write, or the end of the patience with it.
    fn bounded<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the other end does not read",
            ))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.bounded(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not the end of a stall: a socket has nothing to flush and always says so.
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A stream that holds four bytes, and who reads from it.
    fn narrow() -> (WriteDeadline<DuplexStream>, DuplexStream) {
        let (here, there) = duplex(4);
        (WriteDeadline::new(here, PATIENCE), there)
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_nobody_reads_fails_after_the_deadline() {
        let (mut stream, _reader) = narrow();
        let began = Instant::now();
        stream.write_all(b"full").await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);

        let failed = stream.write_all(b"x").await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_that_is_read_starts_the_deadline_anew() {
        let (mut stream, mut reader) = narrow();
        let began = Instant::now();
        let pause = PATIENCE - Duration::from_secs(1);
        let reading = async {
            for _ in 0..10 {
                sleep(pause).await;
                reader.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(b"four, and ten!"), reading);
        written.unwrap();
        assert_eq!(began.elapsed(), 10 * pause);
        // A stream that has nothing to write does not stall.
        sleep(10 * PATIENCE).await;
        reader.read_exact(&mut [0; 4]).await.unwrap();
        stream.write_all(b"more").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn reading_is_not_bounded_here() {
        let (mut stream, mut writer) = narrow();
        let (read, ()) = tokio::join!(stream.read_u8(), async {
            sleep(10 * PATIENCE).await;
            writer.write_u8(7).await.unwrap();
        });
        assert_eq!(read.unwrap(), 7);
    }
}
