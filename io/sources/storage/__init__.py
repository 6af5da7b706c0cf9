"""Where the bytes of files are: folders and S3, listed and read in ranges."""
