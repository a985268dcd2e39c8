"""What every call passes before its first step and after its last: limits, deadline, and being observed."""
