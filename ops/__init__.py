"""What an operator needs beside the product itself: migrations, dashboards, service files."""
