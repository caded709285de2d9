//! Little-endian bytes, written and read by hand: what is on disk is spelled out, not derived.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::sync::lock;

/// Appends values to a buffer.
#[derive(Debug)]
pub(super) struct Encoder<'a>(pub(super) &'a mut Vec<u8>);

impl Encoder<'_> {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(super) fn u128(&mut self, value: u128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    /// A text of at most [`MAX_TEXT`] bytes, which the caller has checked.
    pub(super) fn text(&mut self, value: &str) {
        self.u16(u16::try_from(value.len()).expect("texts are checked against MAX_TEXT"));
        self.0.extend_from_slice(value.as_bytes());
    }
    /// Fewer than 4 GiB, which the caller has checked.
    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("payloads are checked against MAX_BYTES"));
        self.0.extend_from_slice(value);
    }
}

/// The longest text: its length is two bytes.
pub(super) const MAX_TEXT: usize = u16::MAX as usize;

/// Bytes are not what an encoder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// Takes values off the front of bytes. Total: it never panics and never reads past the end.
#[derive(Debug)]
pub(super) struct Decoder {
    rest: Bytes,
}

impl Decoder {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.rest.len() {
            return Err(Malformed("ends too early"));
        }
        Ok(self.rest.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let found = *self.rest.first_chunk::<N>().ok_or(Malformed("ends too early"))?;
        bytes::Buf::advance(&mut self.rest, N);
        Ok(found)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }
    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    pub(super) fn u128(&mut self) -> Result<u128, Malformed> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// Shares memory with the bytes that are decoded.
    pub(super) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| Malformed("is too long"))?)
    }

    pub(super) fn text(&mut self, names: &Names) -> Result<Arc<str>, Malformed> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(&bytes).map(|text| names.share(text)).map_err(|_| Malformed("a text is not UTF-8"))
    }

    pub(super) fn own_text(&mut self) -> Result<Arc<str>, Malformed> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| Malformed("a text is not UTF-8"))
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything was taken.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("goes on after its end")) }
    }
}

/// Texts that repeat in every record (kinds, event names), kept once.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashSet<Arc<str>>>);

impl Names {
    /// Kinds, event names, policies and units of all systems are some hundreds; what comes later is not shared.
    const MAX: usize = 4096;

    pub(super) fn share(&self, text: &str) -> Arc<str> {
        let mut known = lock(&self.0);
        if let Some(name) = known.get(text) {
            return name.clone();
        }
        let name: Arc<str> = text.into();
        if known.len() < Self::MAX {
            known.insert(name.clone());
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shared_up_to_the_limit() {
        let names = Names::default();
        assert!(Arc::ptr_eq(&names.share("order"), &names.share("order")));
        for n in 0..Names::MAX {
            names.share(&n.to_string());
        }
        assert!(!Arc::ptr_eq(&names.share("one too many"), &names.share("one too many")));
        assert!(Arc::ptr_eq(&names.share("order"), &names.share("order")));
    }

    #[test]
    fn a_decoder_says_when_bytes_end_too_early_or_go_on() {
        let mut short = Decoder::new(Bytes::from_static(&[5, 0, b'a']));
        assert_eq!(short.own_text(), Err(Malformed("ends too early")));
        assert_eq!(Decoder::new(Bytes::from_static(&[1])).end(), Err(Malformed("goes on after its end")));
    }
}
