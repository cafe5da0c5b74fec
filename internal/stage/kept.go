package stage

import (
	"slices"

	"github.com/mocksrv/mocksrv/internal/engine"
	"github.com/mocksrv/mocksrv/script"
)

// Kept are the scenarios that a sandbox was made with.
func (st *Stage) Kept(s *engine.Sandbox) []script.Scenario {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Clone(st.origin[s])
}
