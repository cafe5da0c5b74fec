// Package specs embeds the OpenAPI document of each provider. A document is the provider's contract: what a client team
// can be handed, and what the simulator routes, validates and labels by.
package specs

import "embed"

//go:embed *.yaml
var files embed.FS

// Document returns the OpenAPI document of a sim by name, or nil.
func Document(sim string) []byte {
	data, err := files.ReadFile(sim + ".yaml")
	if err != nil {
		return nil
	}
	return data
}
