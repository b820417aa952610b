// Package check has the Kubernetes manifests read strictly into the API's own types: no unknown field, no wrong type. It is
// a module of its own, so that nothing else depends on Kubernetes.
package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kinds makes an empty object of each kind that the manifests use.
var kinds = map[metav1.TypeMeta]func() any{
	{APIVersion: "v1", Kind: "Service"}:                             func() any { return &corev1.Service{} },
	{APIVersion: "apps/v1", Kind: "StatefulSet"}:                    func() any { return &appsv1.StatefulSet{} },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                     func() any { return &appsv1.Deployment{} },
	{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:          func() any { return &policyv1.PodDisruptionBudget{} },
	{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"}: func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
}

func TestManifests(t *testing.T) {
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("manifests: %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range strings.Split(string(text), "\n---\n") {
			object, err := decode([]byte(doc))
			if err != nil {
				t.Errorf("%s: document %d: %v", file, i+1, err)
				continue
			}
			checkObject(t, file, object)
		}
	}
}

func decode(doc []byte) (any, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(doc, &kind); err != nil {
		return nil, err
	}
	make := kinds[kind]
	if make == nil {
		return nil, &os.PathError{Op: "unknown kind", Path: kind.String(), Err: os.ErrInvalid}
	}
	object := make()
	return object, yaml.UnmarshalStrict(doc, object)
}

// checkObject looks at what types do not show: selectors fit their pods, and pods run without privileges.
func checkObject(t *testing.T, file string, object any) {
	t.Helper()
	var selector *metav1.LabelSelector
	var pod corev1.PodTemplateSpec
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		selector, pod = o.Spec.Selector, o.Spec.Template
	case *appsv1.Deployment:
		selector, pod = o.Spec.Selector, o.Spec.Template
	default:
		return
	}
	for k, v := range selector.MatchLabels {
		if pod.Labels[k] != v {
			t.Errorf("%s: selector %s=%s does not fit the pods", file, k, v)
		}
	}
	if pod.Spec.SecurityContext == nil || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("%s: pods may run as root", file)
	}
	for _, c := range pod.Spec.Containers {
		if c.LivenessProbe == nil || c.SecurityContext == nil || *c.SecurityContext.AllowPrivilegeEscalation {
			t.Errorf("%s: container %s has no liveness probe or may gain privileges", file, c.Name)
		}
	}
}

// TestUnknownFieldsAreFound has a manifest with a slip of the pen refused.
func TestUnknownFieldsAreFound(t *testing.T) {
	for _, doc := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {selectr: {a: b}}\n",
		"apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: two}\n",
		"apiVersion: v2\nkind: Service\n",
	} {
		if _, err := decode([]byte(doc)); err == nil {
			t.Errorf("taken:\n%s", doc)
		}
	}
}
