// Package guest is what the lab hears from a guest and tells it: its console
// ([Console]), where the kernel also says how its first process ended
// ([PanicStatus]); and the virtio port ([Port]) on which its init, if it has one,
// says hello ([Greet], [Resume]) and runs programs as it is told ([Session],
// [Program]). The init itself is bench/probe/guestinit, embedded here ([Init]).
//
// Who is root in a guest can say anything on either: FuzzGuest.
package guest
