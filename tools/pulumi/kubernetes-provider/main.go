// The Kubernetes provider with a main of our own: its module lacks the generated files that its own main embeds. The
// schema and the mapping lie in the module; the build lays them beside this file (embedded.txt).
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

// The release that the module's commit came after; a provider must tell a semantic version.
const version = "4.25.0"

func main() {
	provider.Serve("kubernetes", version, schema, mapping)
}
