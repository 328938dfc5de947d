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
		var object any = &monitoring.PodMonitor{}
		if kind.Kind == "PrometheusRule" {
			object = &monitoring.PrometheusRule{}
		}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
	}
}
