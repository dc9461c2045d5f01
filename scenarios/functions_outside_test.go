package scenarios

import (
	"context"
	"net"
	"testing"
)

// An instance that answers without an end takes no memory by it.
func TestEndlessAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for b := make([]byte, 64<<10); err == nil; {
			_, err = c.Write(b)
		}
	}()
	text, err := ask(context.Background(), l.Addr().String())
	if err != nil || len(text) > mostOutput {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
