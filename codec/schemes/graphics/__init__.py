"""The ``graphics`` scheme: screenshots and drawings, exact, by existing lossless coders."""
