"""The national public-service portal (Cổng Dịch vụ công quốc gia): logins, procedures, dossiers. SIMULATION."""
