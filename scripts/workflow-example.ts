/** A small workflow that keeps every rule. The tests break it in one place at a time. */
export const EXAMPLE = `
name: Example
on:
  pull_request:
permissions: {}
concurrency:
  group: \${{ github.workflow }}-\${{ github.event.pull_request.number || github.ref }}
  cancel-in-progress: \${{ github.event_name == 'pull_request' || github.event_name == 'merge_group' }}
jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # to read the sources
    steps:
      - uses: actions/checkout@1111111111111111111111111111111111111111 # v1.2.3
        with:
          persist-credentials: false
      - uses: actions/cache/restore@2222222222222222222222222222222222222222 # v1.0.0
      - run: npm run check
  publish:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    environment: release
    permissions:
      packages: write # to push the image
    steps:
      - uses: docker/setup-buildx-action@3333333333333333333333333333333333333333 # v4.0.0
        with:
          cache-binary: false
      - run: sh scripts/pipeline/publish-image.sh
        env:
          TOKEN: \${{ secrets.TOKEN }}
  again:
    uses: ./example.yml
    permissions:
      contents: read # as its jobs say
      packages: write # as its jobs say
  success:
    if: always()
    needs: [check, publish, again]
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {} # none
    steps:
      - run: sh scripts/pipeline/succeeded.sh
        env:
          RESULTS: \${{ join(needs.*.result, ' ') }}
`;
