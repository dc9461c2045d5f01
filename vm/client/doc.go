// Package client is the lab's side of a conversation with a libvirt daemon, the
// lab's own or a foreign one: a connection with a deadline for each call ([Conn]),
// how a foreign one is reached ([Target]), and the streams by which a domain's
// console and channel come from there ([Streams]).
package client
