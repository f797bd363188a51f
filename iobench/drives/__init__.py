"""What the machine has: its drives, what a path stands on, what may be written, what reached a device."""
