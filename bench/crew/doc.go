// Package crew is the process model: a supervisor, and the worker that it starts.
//
// The supervisor is the process that the user started. It has the terminal, the
// signals, the user's keys and the machine's network. The worker is the same
// program once more, started by [Spawn] as PID 1 of a testbed (package testbed),
// where all instances live; it has nothing but the descriptors that it was
// handed, and [Work] is its main function.
//
// What survives what:
//
//   - The worker dies with its supervisor: the kernel kills it when the thread
//     that started it ends, and it ends by itself at the end of its control pipe.
//   - All that is in the testbed dies with the worker, which is its PID 1.
//   - The supervisor survives the worker, knows how it ended and what it said
//     last ([Worker.Wait]), and removes what the kernel doesn't free by itself.
//   - Ctrl-C reaches the supervisor alone, as the worker has a session of its
//     own; what is to be done is a byte on the control pipe.
//
// # The descriptors
//
// There is one protocol, whatever the worker is for: its descriptors are, from 3
// on, the testbed's folder, the order (JSON, to its end), the control pipe (bytes
// from the supervisor; what they mean is the duty's), the events (JSON values
// from the worker), then the files that the order names, and at last, where it
// says so, the worker's end of a [Passage].
package crew
