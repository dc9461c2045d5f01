//go:build !amd64

package machine

func signature() string { return "" }
