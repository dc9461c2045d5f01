// Package fleet runs one experiment on many machines: through ssh(1), as a class and a
// laboratory have it, or through Slurm, as a cluster has it. It has no scheduler and no
// network protocol of its own.
//
//	bundle.go  the archive with all that a machine without Go and network needs
//	texts.go   what people read in it
//	deb.go     the same as a Debian package
//	unnamed.go where it is written, so that nothing stays of one that was given up
//	hosts.go   the file that lists the machines
//	state.go   a fleet's folder: what was asked, and how far each machine is
//	change.go  another list of machines for a fleet that there is
//	run.go     all machines of a fleet at once, step by step
//	host.go    what is done on one machine
//	slurm.go   the machines are nodes of a cluster, that Slurm gives to an array job's tasks: what it is asked
//	watch.go   until each task is done, or known never to be
//	arrived.go what a task has left in the fleet's folder, and on which node it ran
//	ended.go   how far a task is, and why one has no results
//	files.go   what tasks write into the fleet's folder
//	ssh.go     a step on a machine: one ssh command, and what it can end with
//	host.sh    the part of it that runs there
//	task.go    the lab's own part there: it runs, resumes, and ends with whoever asked
//	fetch.go   what comes back, of which nothing is trusted
//	across.go  what a report across machines asks: whose results are there, and whose aren't
//	boot.go    which machines are two, though they have one machine id
//	clean.go   what was left on machines, and how it is removed
//
// A fleet's folder:
//
//	fleet.json        what was asked, and each machine with its state
//	experiment.yaml   the experiment
//	bundle.tar.gz     what is copied to each machine, until lab fleet clean
//	doctor/           what lab doctor found on each machine
//	SCENARIO/NAME/    a machine's results folder
//	report-SCENARIO/  the report across machines
//	slurm/            what tasks of Slurm's say, until all is measured
//
// On a machine all is below one folder (/var/tmp/lab-fleet-UID): the bundle, which is
// copied once, and a folder a fleet, which is removed when its results were fetched, or
// when they are discarded. A task of Slurm's removes the bundle, too. While it is there it
// holds a lock on that folder (flock(2), held by the task's shell): should Slurm lose sight
// of it and start it once more, on the same machine, the second waits, and finds the first
// one's results.
package fleet
