"""Crypto-shredding: cells under a key of each person, which an erasure destroys."""
