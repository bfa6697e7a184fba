"""Where recordings come from: files, folders, manifests, the web, object stores."""
