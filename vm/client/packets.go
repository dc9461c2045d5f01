package client

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"lab/bench/crew"
)

// Passage is how a worker, which has neither the machine's network nor the
// user's keys, gets connections that dial opens in its supervisor.
func Passage(dial func() (net.Conn, error)) *crew.Passage {
	return &crew.Passage{Dial: dial, Copy: copyPackets}
}

// maxPacket bounds a packet of libvirt's (virnetprotocol.x: 32 MiB, its length
// and some room).
const maxPacket = 32<<20 + 4<<10

// copyPackets hands packets on, each in a write of its own. libvirt's daemon
// reads a packet and then waits for its socket: what follows in the same TLS
// record it would find with the next packet, which may never come.
func copyPackets(to io.Writer, from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		head, err := r.Peek(4)
		if err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head)
		if n < 4 || n > maxPacket {
			return fmt.Errorf("libvirt: a packet of %d bytes", n)
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			return err
		}
		if _, err := to.Write(p); err != nil {
			return err
		}
	}
}
