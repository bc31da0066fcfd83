package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/record"
)

const (
	// Which storage classes are ours.
	provisionerName = "codex-web.test/local"
	// On a volume: who made it.
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	// On a claim of a class that waits for its first pod: where that pod is going to be.
	selectedNode = "volume.kubernetes.io/selected-node"
)

// A claim of this size or more fails, so that a test can see a volume that cannot be made.
var tooLarge = resource.MustParse("1Pi")

// provisioner makes volumes of type `local`, because the kubelet gives those to the group of a pod (`fsGroup`), which it
// does not do for `hostPath`. Sizes are written down and grown, but not enforced: the volumes are plain folders.
type provisioner struct {
	world   *world
	dir     string
	node    string
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister
	events  record.EventRecorder
}

func newProvisioner(w *world, dir, node string) *provisioner {
	claims := w.factory.Core().V1().PersistentVolumeClaims()
	volumes := w.factory.Core().V1().PersistentVolumes()
	classes := w.factory.Storage().V1().StorageClasses()
	w.watch(claims.Informer())
	w.watch(volumes.Informer())
	w.watch(classes.Informer())
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typed.EventSinkImpl{Interface: w.client.CoreV1().Events("")})
	return &provisioner{
		world: w, dir: dir, node: node,
		claims: claims.Lister(), volumes: volumes.Lister(), classes: classes.Lister(),
		events: broadcaster.NewRecorder(scheme.Scheme, core.EventSource{Component: provisionerName}),
	}
}

func (p *provisioner) pass(ctx context.Context) error {
	var failures []error
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, claim := range claims {
		if class := p.classOf(claim); class != nil && claim.DeletionTimestamp == nil {
			failures = append(failures, p.provide(ctx, claim, class))
		}
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, volume := range volumes {
		released := volume.Status.Phase == core.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == core.PersistentVolumeReclaimDelete
		if released && volume.Annotations[provisionedBy] == provisionerName {
			failures = append(failures, p.remove(ctx, volume))
		}
	}
	return errors.Join(failures...)
}

// classOf gives the claim's class if it is one of ours.
func (p *provisioner) classOf(claim *core.PersistentVolumeClaim) *storage.StorageClass {
	if claim.Spec.StorageClassName == nil {
		return nil
	}
	class, err := p.classes.Get(*claim.Spec.StorageClassName)
	if err != nil || class.Provisioner != provisionerName {
		return nil
	}
	return class
}

// provide makes or grows the claim's volume, whichever is due.
func (p *provisioner) provide(ctx context.Context, claim *core.PersistentVolumeClaim, class *storage.StorageClass) error {
	wanted := claim.Spec.Resources.Requests[core.ResourceStorage]
	if claim.Status.Phase == core.ClaimBound {
		if wanted.Cmp(claim.Status.Capacity[core.ResourceStorage]) > 0 {
			return p.grow(ctx, claim, wanted)
		}
		return nil
	}
	waits := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storage.VolumeBindingWaitForFirstConsumer
	if claim.Spec.VolumeName != "" || (waits && claim.Annotations[selectedNode] == "") {
		return nil
	}
	if wanted.Cmp(tooLarge) >= 0 {
		p.events.Event(claim, core.EventTypeWarning, "ProvisioningFailed", "no room for a volume of "+wanted.String())
		return nil
	}
	return p.make(ctx, claim, class, wanted)
}

func (p *provisioner) make(ctx context.Context, claim *core.PersistentVolumeClaim, class *storage.StorageClass, size resource.Quantity) error {
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	policy := core.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	node := claim.Annotations[selectedNode] // one that is only played, perhaps: then the folder stays empty
	if node == "" {
		node = p.node
	}
	here := core.NodeSelectorRequirement{Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{node}}
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisionerName}},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      core.ResourceList{core.ResourceStorage: size},
			AccessModes:                   claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: path}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{here}}},
			}},
			ClaimRef: &core.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
		},
	}
	_, err := p.world.client.CoreV1().PersistentVolumes().Create(ctx, volume, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err == nil {
		log.Printf("%s for %s/%s", name, claim.Namespace, claim.Name)
		p.events.Event(claim, core.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume "+name)
	}
	return err
}

func (p *provisioner) grow(ctx context.Context, claim *core.PersistentVolumeClaim, size resource.Quantity) error {
	volume, err := p.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return fmt.Errorf("volume of %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	volume = volume.DeepCopy()
	volume.Spec.Capacity[core.ResourceStorage] = size
	if _, err := p.world.client.CoreV1().PersistentVolumes().Update(ctx, volume, meta.UpdateOptions{}); err != nil {
		return err
	}
	claim = claim.DeepCopy()
	claim.Status.Capacity[core.ResourceStorage] = size
	_, err = p.world.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, meta.UpdateOptions{})
	return err
}

func (p *provisioner) remove(ctx context.Context, volume *core.PersistentVolume) error {
	if err := os.RemoveAll(filepath.Join(p.dir, volume.Name)); err != nil {
		return err
	}
	err := p.world.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
