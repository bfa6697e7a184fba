"""What of jobs is erased, by whom it is asked, and how."""
