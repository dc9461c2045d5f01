package container

import (
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestContainer(t *testing.T) {
	lacks := map[benchtest.Feature]string{
		benchtest.Init: "it starts the workload itself as PID 1",
	}
	for _, net := range []string{"none", "bridge", "host"} {
		t.Run("net="+net, func(t *testing.T) {
			benchtest.Run(t, New(), benchtest.Options{Lacks: lacks, Settings: map[string]string{"net": net}})
		})
	}
}
