"""Advisories on direct dependencies."""

FIRST_FIXED = {
    "filelock": "3.20.3",  # CVE-2025-68146, CVE-2026-22701: links in the place of lock files
    "jinja2": "3.1.6",  # CVE-2024-56201, CVE-2024-56326, CVE-2025-27516: templates of others, which none here are
    "mlflow": "3.13.0",  # CVE-2025-14279, CVE-2026-0545, CVE-2026-2614, CVE-2026-2652, CVE-2026-8147: its server
    "numpy": "1.22.0",  # CVE-2021-41495, CVE-2021-41496
    "onnx": "1.21.0",  # CVE-2024-5187, CVE-2025-51480, CVE-2026-27489, CVE-2026-34445, CVE-2026-34446: external data
    "pillow": "12.3.0",  # CVE-2025-48379, CVE-2026-25990, CVE-2026-40192, CVE-2026-55798, CVE-2026-59197 to -59200
    "pyarrow": "23.0.1",  # CVE-2023-47248: code in files; CVE-2026-25087: use after free
    "pydantic": "2.4.0",  # CVE-2024-3772
    "python-multipart": "0.0.31",  # CVE-2024-53981, CVE-2026-24486, CVE-2026-42561, GHSA-v9pg-7xvm-68hf
    "ray": "2.52.0",  # CVE-2025-62593; the first with token authentication
    "scikit-learn": "1.5.0",  # CVE-2024-5206
    "starlette": "1.0.1",  # CVE-2024-47874, CVE-2025-54121, CVE-2025-62727, CVE-2026-48710
    "torch": "2.10.0",  # CVE-2025-32434, CVE-2026-24747: `weights_only` could run code
}
"""Of direct dependencies: the version from which all advisories known to this project are mended."""
