//go:build tools

// Package tools names the programs beside Kubernetes that build makes. They stand in a module of their own because
// they need newer client libraries than the Kubernetes release that is tested with.
package tools

import (
	_ "sigs.k8s.io/kwok/cmd/kwok"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
