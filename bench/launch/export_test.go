package launch

// SetOutlived has instances live on without their threads, as in a testbed of PID 1.
func SetOutlived(v bool) (restore func()) {
	old := outlived.Swap(v)
	return func() { outlived.Store(old) }
}

// SetNoClone3 forces, or stops forcing, the way of older kernels.
func SetNoClone3(v bool) (restore func()) {
	old := noClone3.Swap(v)
	return func() { noClone3.Store(old) }
}

// NoClone3 says which way the starts have gone.
func NoClone3() bool { return noClone3.Load() }
