#!/bin/sh
# Refuses to go on when the environment GUARDED would be deployed to without anybody's approval: the workflow can name the
# environment, but who must approve is a setting of the repository that may be lost.
set -eu
rules=$(gh api "repos/$GITHUB_REPOSITORY/environments/$GUARDED" \
  --jq '.protection_rules[] | select(.type == "required_reviewers") | "\(.reviewers | length) \(.prevent_self_review)"')
case $rules in
  '' | 0\ *) missing="no reviewers" ;;
  *\ true) missing= ;;
  *) missing='nothing that prevents people from approving their own runs' ;;
esac
if [ -n "$missing" ]; then
  echo "The environment \"$GUARDED\" has $missing. Set it up as docs/operations/ci.md says." >&2
  exit 1
fi
