"""The national public-service portal: login round-trip, procedures, dossiers."""
