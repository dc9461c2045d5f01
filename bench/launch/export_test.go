package launch

// SetNoClone3 forces, or stops forcing, the way of older kernels.
func SetNoClone3(v bool) (restore func()) {
	old := noClone3.Swap(v)
	return func() { noClone3.Store(old) }
}

// NoClone3 says which way the starts have gone.
func NoClone3() bool { return noClone3.Load() }
