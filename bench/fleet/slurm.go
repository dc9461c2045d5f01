package fleet

// Slurm is what of a fleet is Slurm's.
type Slurm struct {
	Options []string `json:"options,omitempty"` // of sbatch
	Job     string   `json:"job"`
}
