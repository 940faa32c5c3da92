"""Provisioning: CDK constructs and stacks, the Lambda zips they deploy, and the local cloud they also deploy into."""
