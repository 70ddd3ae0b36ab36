"""Changing single columns of a Parquet file while everything else of it stays as it is, byte for byte."""
