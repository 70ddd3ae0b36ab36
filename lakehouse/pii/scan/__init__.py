"""Which columns hold personal data: sampled, looked at, judged; nothing but a column's facts decides."""
