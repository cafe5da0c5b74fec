package control

import (
	"maps"
	"time"
)

// Routes are the patterns of the routes.
func Routes() []string { return sortedNames((*API)(nil).routes()) }

// Parameters are the query parameters that the routes take.
func Parameters() map[string][]string { return maps.Clone(parameters()) }

// SetStreamWrite sets how long streams wait for their readers.
func (a *API) SetStreamWrite(d time.Duration) { a.streamWrite = d }

// Recorded is of how many sandboxes operations are kept.
func (a *API) Recorded() int { return len(a.recordings.bySandbox) }
