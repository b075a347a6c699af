"""Sums up the orders of a day: reads files from a bucket, and writes a report beside them."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections import Counter

import boto3

import irsa_creds

irsa_creds.install()


def write_report(bucket: str, day: str) -> str:
    """Return the key of the report on that day's orders, once it is written."""
    s3 = boto3.client("s3")
    totals = Counter[str]()
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=f"orders/{day}/").get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        for order in csv.DictReader(io.StringIO(body)):
            totals[order["shop"]] += int(order["amount"])
    lines = [f"{shop},{amount}\n" for shop, amount in sorted(totals.items())]
    key = f"reports/{day}.csv"
    s3.put_object(Bucket=bucket, Key=key, Body="".join(["shop,amount\n", *lines]))
    return key


if __name__ == "__main__":
    print(write_report(os.environ["REPORTS_BUCKET"], sys.argv[1]))
