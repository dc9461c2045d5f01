// Package scenarios is the questions that the lab answers, one file each, and
// the one list of them.
//
// A scenario knows no environment: what differs between these is data (their
// settings) or an optional interface of package bench.
package scenarios

import "lab/bench"

// All lists the scenarios in the order in which they are explained.
func All() []*bench.Scenario {
	return []*bench.Scenario{
		Startup(),
		CPU(),
		Memory(),
		Disk(),
		Network(),
	}
}

// Find returns a scenario by its name, a calibration's part included, or nil.
func Find(name string) *bench.Scenario {
	for _, s := range append(append(All(), Calibration()...), Disturbed()) {
		if s.Name == name {
			return s
		}
	}
	return nil
}
