// Reads each manifest into the operator's own types. A member that they do not have is an error.
package main

import (
	"log"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		var kind struct{ Kind string }
		if err := yaml.Unmarshal(text, &kind); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		var object any
		switch kind.Kind {
		case "PodMonitor":
			object = &monitoring.PodMonitor{}
		case "PrometheusRule":
			object = &monitoring.PrometheusRule{}
		case "Probe":
			object = &monitoring.Probe{}
		default:
			log.Fatalf("%s: kind %q", path, kind.Kind)
		}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
	}
}
