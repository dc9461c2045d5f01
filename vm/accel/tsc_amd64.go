package accel

func timestamp() uint64
