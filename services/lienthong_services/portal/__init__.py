"""The national public-service portal (Cổng Dịch vụ công quốc gia): login round-trip, procedures, dossiers. SIMULATION."""
