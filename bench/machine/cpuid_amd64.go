package machine

import "encoding/binary"

// cpuid asks the processor (Intel SDM, volume 2).
func cpuid(leaf uint32) (b, c, d uint32)

// signature is how the hypervisor that this program runs under names itself to
// its guests, twelve letters; of no meaning where there is none.
func signature() string {
	var text []byte
	b, c, d := cpuid(0x4000_0000)
	for _, r := range []uint32{b, c, d} {
		text = binary.LittleEndian.AppendUint32(text, r)
	}
	return string(text)
}
