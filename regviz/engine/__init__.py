"""Share: one engine for all sessions; it queues jobs and supervises the trainer processes."""
