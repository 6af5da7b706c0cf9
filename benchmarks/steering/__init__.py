"""Proofs of pipelines that operators steer: what is rewound is read again, and kills leave nothing half done."""
