//! Packets of keys, to make keys that no program makes.

/// The kinds of packets.
pub(super) const SIGNATURE: u8 = 2;
pub(super) const SUBKEY: u8 = 14;

/// Returns the packets of an exported key: the kind and all bytes of each.
pub(super) fn split(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut packets, mut rest) = (Vec::new(), bytes);
    while let Some(&first) = rest.first() {
        assert_eq!(first & 0xc0, 0x80, "gpg writes headers of the old form");
        let size = 1 << (first & 3);
        let len = rest[1..=size].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let (packet, others) = rest.split_at(1 + size + len);
        packets.push((first >> 2 & 15, packet.to_vec()));
        rest = others;
    }
    packets
}

/// Returns the bytes of packets.
pub(super) fn join(packets: &[(u8, Vec<u8>)]) -> Vec<u8> {
    packets.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
}

/// Returns the offset of the signature in another one by which a subkey states that it belongs to
/// its primary key: a subpacket of type 32 with version 4 and type 0x19.
pub(super) fn consent(bytes: &[u8]) -> usize {
    bytes.windows(3).position(|window| window == [32, 4, 0x19]).expect("gpg makes one")
}
